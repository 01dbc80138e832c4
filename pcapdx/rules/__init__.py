"""The built-in pack of rules: one folder a topic, one file a rule, and ``definitions/`` for what they share."""
