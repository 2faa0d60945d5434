// Keeps the report fresh: fetches this very page again and takes over its middle.
"use strict";

async function refreshReport() {
  if (document.hidden || getSelection().toString()) return;
  try {
    const reply = await fetch(location.href);
    if (!reply.ok) return;
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    const fresh = page.getElementById("live");
    if (fresh) document.getElementById("live").replaceWith(fresh);
  } catch { /* the next round tries again */ }
}

setInterval(refreshReport, 5000);
