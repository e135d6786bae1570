// Swagger for a signed-in browser: what changes something carries the CSRF token of the session.
const check = fetch("/api/auth/check").then((answer) => answer.json());

SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  requestInterceptor: async (request) => {
    if (!["GET", "HEAD"].includes((request.method || "GET").toUpperCase())) {
      request.headers["X-CSRF-Token"] = (await check).csrf_token;
    }
    return request;
  },
});
