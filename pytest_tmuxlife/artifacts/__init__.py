"""What a person looks at: stored screens."""
