"""The screens: forms over services, drawn by Streamlit. No rule, no SQL; text from outside stays text."""
