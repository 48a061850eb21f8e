"""Commands: what hosts want written, the gate before it, the audit log behind it."""
