"""What a person may ask of those who keep data about them: to be shown all of it, and to be forgotten."""
