// Two small things for readers whose browser runs scripts; every page is whole
// without them. Search results follow the typing, and a page about something
// that changes asks for its own newest version.
(() => {
  "use strict";
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("universe", { createHTML: (s) => s })
    : { createHTML: (s) => s };

  // swap replaces the part #id of this page by the same part of the page at url.
  async function swap(url, id, signal) {
    const reply = await fetch(url, { signal, headers: { Accept: "text/html" } });
    if (!reply.ok) return;
    const page = new DOMParser().parseFromString(policy.createHTML(await reply.text()), "text/html");
    const fresh = page.getElementById(id);
    const old = document.getElementById(id);
    if (fresh && old && fresh.outerHTML !== old.outerHTML) old.replaceWith(document.adoptNode(fresh));
  }

  const form = document.querySelector("form[data-live]");
  if (form) {
    let running = null, timer = 0;
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (running) running.abort();
        running = new AbortController();
        const url = new URL(form.action);
        url.search = new URLSearchParams(new FormData(form)).toString();
        swap(url, form.dataset.live, running.signal).then(
          () => history.replaceState(null, "", url), () => {});
      }, 120);
    });
  }

  const live = document.querySelector("[data-events]");
  if (live) {
    let waiting = false;
    const source = new EventSource(live.dataset.events);
    const refresh = () => {
      if (waiting) return;
      waiting = true;
      setTimeout(() => { waiting = false; swap(location.href, live.id).catch(() => {}); }, 300);
    };
    source.onmessage = refresh;
    for (const kind of (live.dataset.kinds || "").split(" ")) if (kind) source.addEventListener(kind, refresh);
  }
})();
