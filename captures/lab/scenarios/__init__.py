"""One file a small family of scenarios; found by walking, named nowhere."""
