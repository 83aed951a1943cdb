"""What the author of an engine, an auth method, a store, a seal or an audit device needs, and nothing more."""
