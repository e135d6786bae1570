"""The admin app: Streamlit, the REST API and Dagster's own UI behind one door, one port and one sign-in."""
