"""Tasks that check or change log backup."""
