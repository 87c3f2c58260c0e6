"""Images and guests made by somebody who wants the host: nothing of it may get there."""
