"""What a run is: its settings, its plan, its events, and the state they fold into."""
