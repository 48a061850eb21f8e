"""Sparkplug B: names, payloads, the session and the edge node."""
