// Two small things for readers whose browser runs scripts; every page is whole
// without them. Search results follow the typing, and a page about something
// that changes asks for its own newest version.
(() => {
  "use strict";
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("universe", { createHTML: (s) => s })
    : { createHTML: (s) => s };

  // patch makes old like fresh and touches only what differs, so that focus,
  // selection and scroll positions stay, and only changes are read out.
  function patch(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    for (const a of [...old.attributes]) if (!fresh.hasAttribute(a.name)) old.removeAttribute(a.name);
    for (const a of fresh.attributes) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    const was = [...old.childNodes], is = [...fresh.childNodes];
    is.forEach((node, i) => (i < was.length ? patch(was[i], node) : old.append(node)));
    was.slice(is.length).forEach((node) => node.remove());
  }

  // swap brings the part #id of this page to what it is in the page at url, and
  // gives the status of the answer.
  async function swap(url, id, signal) {
    const reply = await fetch(url, { signal, headers: { Accept: "text/html" } });
    const text = await reply.text();
    if (!reply.ok) return reply.status;
    const page = new DOMParser().parseFromString(policy.createHTML(text), "text/html");
    const fresh = page.getElementById(id), old = document.getElementById(id);
    if (fresh && old) patch(old, fresh);
    document.title = page.title;
    return reply.status;
  }

  // search asks with each pause in the typing; a question that a newer one has
  // overtaken is dropped.
  function search(form) {
    let running = null, timer = 0;
    const ask = async () => {
      if (running) running.abort();
      const mine = (running = new AbortController());
      const url = new URL(form.action);
      const q = new FormData(form).get("q").trim();
      if (q) url.searchParams.set("q", q);
      const results = document.getElementById(form.dataset.live);
      results.setAttribute("aria-busy", "true");
      let status = 0;
      try { status = await swap(url, form.dataset.live, mine.signal); } catch { /* status says it */ }
      if (running !== mine) return;
      results.removeAttribute("aria-busy");
      if (status === 200) history.replaceState(null, "", url);
      else results.querySelector("[role=status]").textContent = "The catalog does not answer. Press Search to try again.";
    };
    form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
  }

  // follow keeps #id at its newest while the page can be seen: a hidden one
  // would hold one of the few connections that a browser opens to a host.
  function follow(id, events, kinds) {
    const stale = document.getElementById("stale");
    let source = null, late = 0, wanted = false, busy = false;
    const refresh = async () => {
      wanted = true;
      if (busy) return;
      busy = true;
      while (wanted) {
        await new Promise((go) => setTimeout(go, 300));
        wanted = false;
        // Without an answer the stream breaks too, and tells.
        if (await swap(location.href, id, AbortSignal.timeout(10000)).catch(() => 0) === 404) location.reload();
      }
      busy = false;
    };
    const open = () => {
      source = new EventSource(events);
      // What happened before the stream was open has passed unseen.
      source.onopen = () => { clearTimeout(late); late = 0; stale.hidden = true; refresh(); };
      source.onerror = () => {
        if (!late) late = setTimeout(() => { stale.hidden = false; }, 2000);
        if (source.readyState === EventSource.CLOSED) setTimeout(turn, 5000); // it does not try again by itself
      };
      for (const kind of kinds) source.addEventListener(kind, refresh);
    };
    const turn = () => {
      if (source) source.close();
      source = null;
      if (!document.hidden) open();
    };
    document.addEventListener("visibilitychange", turn);
    window.addEventListener("pagehide", () => { if (source) source.close(); clearTimeout(late); });
    window.addEventListener("pageshow", (e) => { if (e.persisted) turn(); });
    setInterval(() => { if (!document.hidden) refresh(); }, 15000); // "3 min ago" grows old as well
    turn();
  }

  const form = document.querySelector("form[data-live]");
  if (form) search(form);
  const live = document.querySelector("[data-events]");
  if (live) follow(live.id, live.dataset.events, live.dataset.kinds.split(" "));
})();
