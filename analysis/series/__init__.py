"""What happens over time: resampling, trend, seasons, forecasts and periods that stand out."""
