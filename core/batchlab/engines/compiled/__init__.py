"""The compiled engine. `support` says which cells it takes; `engine` is loaded when one is trained."""
