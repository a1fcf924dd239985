"""What a finished or running run tells: metrics, predictions, explanations, simulations, reports."""
