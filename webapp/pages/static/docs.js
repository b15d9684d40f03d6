// Starts Swagger UI on the OpenAPI document named by the page; asks no outside service anything.
"use strict";

(() => {
  const place = document.getElementById("api-docs");

  // Swagger UI puts its links to an operation into the button that opens it, where a keyboard or a
  // screen reader can't tell the two apart. The text is enough: the address follows what is open.
  // And it offers a choice of servers, without a label, though this is the only one.
  const plain = (system) => ({
    components: {
      DeepLink: ({ text }) => system.React.createElement("span", null, text),
      ServersContainer: () => null,
    },
  });

  SwaggerUIBundle({
    url: place.dataset.url,
    domNode: place,
    plugins: [plain],
    validatorUrl: null,
    deepLinking: true,
    // By now there are so many operations that a list of groups is easier to find one in.
    docExpansion: "none",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    syntaxHighlight: false,
  });
})();
