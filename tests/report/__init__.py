"""Tests of the reports: text, HTML, Markdown, JSON, time line, decoded frames."""
