"""Conversations: their messages, the rounds of tool calls, and the state that a failure leaves."""

from __future__ import annotations

from .blocking import Conversation, ConversationStream

__all__ = ["Conversation", "ConversationStream"]
