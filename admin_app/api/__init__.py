"""The REST API: routes are forms over services. It trusts what the guard says of the caller and knows no screen."""
