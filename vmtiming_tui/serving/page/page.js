"use strict";

const terminal = document.getElementById("terminal");
const events = new URL("events", window.location.href);
events.protocol = events.protocol.replace("http", "ws");
events.search = "";
terminal.dataset.sessionWebsocketUrl = events.href;
// Keys are for the dashboard, as soon as it is there to take them.
new MutationObserver((_, observer) => {
  if (terminal.classList.contains("-connected")) {
    observer.disconnect();
    document.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(terminal, { attributeFilter: ["class"] });
document.getElementById("again").onclick = () => window.location.reload();

// Browsers have a clipboard only for pages of this host or by https; elsewhere this is its way.
if (!navigator.clipboard) {
  const writeText = async (text) => {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    document.querySelector(".xterm-helper-textarea").focus();
  };
  Object.defineProperty(navigator, "clipboard", { value: { writeText, readText: async () => "" } });
}
