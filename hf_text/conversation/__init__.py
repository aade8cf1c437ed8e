"""Conversations: the messages, the rounds of tool calls, and what a failure leaves of them."""

from __future__ import annotations

from .blocking import Conversation, ConversationStream

__all__ = ["Conversation", "ConversationStream"]
