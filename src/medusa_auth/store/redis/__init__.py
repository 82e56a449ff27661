"""Sessions on Redis or Valkey."""
