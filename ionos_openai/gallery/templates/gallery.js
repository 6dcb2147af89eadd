"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("\u00d7", "x").toLowerCase();
  const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
  const states = { made: "Pictures", failed: "Failed", modified: "Changed since", broken: "Unreadable", gone: "Gone", superseded: "Superseded" };

  const shared = (texts, number = 0) => texts[number];
  const entries = Array.from($("grid").children, (card, index) => {
    const item = data.items[index];
    const opener = card.firstElementChild;
    const caption = opener.lastElementChild.textContent;
    const name = item.file ?? decodeURIComponent(opener.getAttribute("href") || "");
    const time = card.querySelector("time");
    return {
      ...item, card, index, opener, name, caption,
      prompt: "promptless" in item ? null : caption,
      state: item.state || "made",
      model: shared(data.models, item.model) || "",
      date: time ? new Date(time.dateTime) : null,
      pixels: shared(data.pixels, item.pixels),
      size: shared(data.sizes, item.size),
      cost: shared(data.costs, item.cost),
    };
  });
  let shown = entries;
  let current = null;

  // What stands in the selects comes from the cards: a choice without effect is not offered.
  const offer = (select, values, label = (value) => value) => {
    while (select.options.length > 1) select.remove(1);
    for (const value of values) select.add(new Option(label(value), value));
    select.parentElement.hidden = values.length === 0;
  };
  const distinct = (values) => [...new Set(values)].sort(compare);
  const models = distinct(entries.map((entry) => entry.model).filter(Boolean));
  offer($("model"), models.length > 1 ? models : [], (model) => model.split("/").pop());
  const present = Object.keys(states).filter((state) => entries.some((entry) => entry.state === state));
  offer($("state"), present.length > 1 ? present : [], (state) => states[state]);
  offer($("column"), distinct(entries.flatMap((entry) => Object.keys(entry.metadata || {}))));
  const valueOf = (entry, column) => (entry.metadata && Object.hasOwn(entry.metadata, column) ? entry.metadata[column] : undefined);
  const offerValues = () => {
    const column = $("column").value;
    const values = entries.map((entry) => valueOf(entry, column)).filter((value) => value !== undefined);
    offer($("value"), column ? distinct(values) : []);
  };

  const orders = {
    new: (a, b) => (b.date || 0) - (a.date || 0),
    old: (a, b) => (a.date || Infinity) - (b.date || Infinity) || b.index - a.index,
    file: (a, b) => (a.row ?? Infinity) - (b.row ?? Infinity) || 0,
    prompt: (a, b) => compare(a.caption, b.caption),
    name: (a, b) => compare(a.name, b.name),
    model: (a, b) => compare(a.model, b.model),
  };
  // All that the detail shows; the dates of thousands are written only when somebody searches.
  const wordsOf = (entry) => (entry.words ??= plain([entry.caption, entry.alt, ...rows(entry).map(([, value]) => value)].join("\n")));
  const fits = (entry, words) =>
    words.every((word) => wordsOf(entry).includes(word)) &&
    (!$("model").value || entry.model === $("model").value) &&
    (!$("state").value || entry.state === $("state").value) &&
    (!$("value").value || valueOf(entry, $("column").value) === $("value").value);

  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
  const badges = { failed: "failed", gone: "gone", broken: "unreadable", superseded: "superseded" };
  const tell = () => {
    const pictures = shown.filter((entry) => !(entry.state in badges)).length;
    const [failed, ...others] = Object.entries(badges).map(([state, badge]) => {
      const number = shown.filter((entry) => entry.state === state).length;
      return number && `${number} ${badge}`;
    });
    const all = shown.length < entries.length ? ` (${shown.length} of ${entries.length} entries)` : "";
    $("count").textContent = count(pictures, "picture") + (failed ? `, ${failed}` : "") + all;
    $("others").textContent = others.filter(Boolean).join(", ");
  };
  const update = () => {
    const words = plain($("search").value).split(/\s+/).filter(Boolean);
    shown = entries.filter((entry) => fits(entry, words));
    const visible = new Set(shown);
    for (const entry of entries) entry.card.hidden = !visible.has(entry);
    if (entries.length) $("nothing").hidden = shown.length > 0;
    tell();
  };
  const sort = () => {
    const order = orders[$("sort").value];
    entries.sort((a, b) => order(a, b) || a.index - b.index);
    $("grid").append(...entries.map((entry) => entry.card));
    update();
  };

  const copy = async (text, what, button) => {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      done = copyBySelecting(text);
    }
    $("said").textContent = "";
    $("said").textContent = done ? `${what} copied` : "The browser forbids copying: select the text instead";
    button.textContent = done ? "Copied" : "Not copied";
    setTimeout(() => { button.textContent = `Copy ${what.toLowerCase()}`; }, 1600);
  };
  // Some browsers give a page from a file no clipboard.
  const copyBySelecting = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    const focused = document.activeElement;
    $("viewer").append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  };

  // A shell takes what is in single quotes as it is. PowerShell takes typographic ones for such quotes too, and what
  // cmd takes for commands stands in no line for Windows; nor do control characters anywhere, which a terminal obeys.
  // cmd, and PowerShell 5 at double quotes, make several words of a prompt: none of them may become an option.
  const isWindows = /^Win/.test(navigator.platform);
  const obeyed = /(?!\n)\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u;
  const risky = isWindows ? /[&|<>^%]|\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u : obeyed;
  const dash = isWindows ? /-/ : /^-/;
  const harmless = (text) => text.replace(new RegExp(obeyed, "gu"), " ");
  const inQuotes = (text) => (isWindows ? text.replace(/['\u2018-\u201b]/g, "$&$&") : text.replaceAll("'", `'"'"'`));
  const isPlain = (text) => /^[\w./:=+-]+$/.test(text);
  const quoted = (text) => (isPlain(text) ? text : `'${inQuotes(text)}'`);
  const isRisky = (entry) =>
    risky.test(entry.prompt) || [entry.model, entry.size].some((text) => text && (isWindows ? !isPlain(text) : risky.test(text)));
  const command = (entry) => {
    if (entry.prompt === null || entry.edited || isRisky(entry)) return null;
    const parts = ["ionos-openai", "generate"];
    if (entry.model) parts.push("--model", quoted(entry.model));
    if (entry.size) parts.push("--size", quoted(entry.size));
    if ("seed" in entry) parts.push("--seed", entry.seed);
    if (entry.placeholder) parts.push("--sandbox");
    if (dash.test(entry.prompt)) parts.push("--");
    parts.push(quoted(entry.prompt));
    return parts.join(" ");
  };
  const remark = (entry) => {
    if (entry.prompt === null) return "The prompt was not recorded, neither in the picture nor in a manifest.";
    if (entry.edited) return "It was made out of other pictures, which are not recorded.";
    if (isRisky(entry)) return "A command for it would hold what a terminal takes for commands of its own: copy the prompt.";
    if (entry.extra) return "It was asked for with further parameters, which the command has no options for.";
    if (entry.state === "failed") return "";
    return entry.placeholder ? "A placeholder of the sandbox: the command draws the same one." : "A model seldom draws the same picture twice.";
  };

  const rows = (entry) => {
    const date = entry.date && !Number.isNaN(+entry.date) ? entry.date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : null;
    return [
      ["State", entry.state === "made" ? null : states[entry.state]], ["Model", entry.model], ["Size", entry.pixels && `${entry.pixels} px`],
      [entry.state === "failed" ? "Asked for" : entry.saved ? "Saved" : "Made", date], ["Cost", entry.placeholder && !entry.cost ? "none, a placeholder" : entry.cost],
      ["File", entry.name], ["Seed", entry.seed], ["Credit", entry.credit], ["Signature", entry.signed], ...Object.entries(entry.metadata || {}),
    ].filter(([, value]) => value !== undefined && value !== null && value !== "");
  };
  const showFacts = (entry) => {
    $("facts").replaceChildren(...rows(entry).flatMap(([term, value]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      dt.textContent = term;
      dd.textContent = value;
      dd.dir = "auto";
      return [dt, dd];
    }));
  };
  const showAgain = (entry) => {
    const line = command(entry);
    $("command").textContent = line || "";
    $("command").parentElement.hidden = $("copy-command").hidden = line === null;
    $("again-title").textContent = entry.state === "failed" ? "Ask for it again" : "Make it again";
    $("again-note").textContent = remark(entry);
  };
  const showStage = (entry) => {
    const href = entry.opener.getAttribute("href");
    const image = $("viewer-image");
    const isPicture = href !== null && entry.state !== "broken";
    document.querySelector(".stage").classList.remove("full");
    image.hidden = !isPicture;
    image.alt = entry.alt || entry.caption;
    if (isPicture) image.src = href;
    else image.removeAttribute("src");
    $("viewer-none").hidden = isPicture;
    $("viewer-none").textContent = isPicture ? "" : `No picture: ${entry.note || "unknown"}`;
    $("file").hidden = href === null;
    if (href !== null) $("file").href = href;
    $("viewer-note").hidden = !(isPicture && entry.note);
    $("viewer-note").textContent = entry.note || "";
  };
  const show = (entry) => {
    current = entry;
    const at = shown.indexOf(entry);
    showStage(entry);
    $("viewer-prompt").textContent = entry.caption;
    $("viewer-prompt").classList.toggle("unknown", entry.prompt === null);
    $("copy-prompt").hidden = entry.prompt === null;
    showFacts(entry);
    showAgain(entry);
    // A disabled button would lose the focus, and with it the keyboard.
    for (const [id, bound] of [["previous", 0], ["next", shown.length - 1]]) {
      if (at === bound && document.activeElement === $(id)) $("close").focus();
      $(id).disabled = at === bound;
    }
    $("position").textContent = `${at + 1} of ${shown.length}`;
    $("said").textContent = `${at + 1} of ${shown.length}: ${entry.caption}`;
    document.querySelector(".panel").scrollTop = $("viewer").scrollTop = 0;
    remember(entry.name);
    const next = shown[at + 1]?.opener.getAttribute("href");
    if (next && shown[at + 1].state !== "broken") new Image().src = next;
  };
  const remember = (name) => {
    try {
      history.replaceState(null, "", name ? `#${encodeURIComponent(name)}` : location.pathname + location.search);
    } catch { /* a page inside another one may not */ }
  };
  const open = (entry) => {
    if (!$("viewer").open) $("viewer").showModal();
    $("close").focus();
    show(entry);
  };
  const step = (by) => {
    const to = shown[shown.indexOf(current) + by];
    if (to) show(to);
  };

  $("grid").addEventListener("click", (event) => {
    const card = event.target.closest("li");
    const entry = entries.find((entry) => entry.card === card);
    if (!entry || !event.target.closest("a, button") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(entry);
  });
  // A thumbnail that was removed: the picture itself takes its place, once.
  $("grid").addEventListener("error", (event) => {
    const image = event.target;
    const href = image.parentElement.getAttribute("href");
    if (image.getAttribute("src") !== href) { image.src = href; return; }
    const none = document.createElement("span");
    none.className = "none";
    none.textContent = "the picture cannot be shown";
    image.replaceWith(none);
  }, true);
  $("viewer-image").addEventListener("error", () => {
    $("viewer-image").hidden = true;
    $("viewer-none").hidden = false;
    $("viewer-none").textContent = "No picture: the browser cannot show the file, or it is not there any more";
  });
  const toggleSize = () => document.querySelector(".stage").classList.toggle("full");
  $("viewer-image").addEventListener("click", toggleSize);
  $("viewer-image").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    toggleSize();
  });
  $("viewer").addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) { event.preventDefault(); step(by); }
    if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      show(shown[event.key === "Home" ? 0 : shown.length - 1]);
    }
  });
  $("viewer").addEventListener("close", () => {
    remember("");
    $("viewer-image").removeAttribute("src");
    current?.opener.scrollIntoView({ block: "nearest" });
    current?.opener.focus();
    current = null;
  });
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => $("viewer").close());
  $("copy-prompt").addEventListener("click", (event) => copy(harmless(current.prompt), "Prompt", event.target));
  $("copy-command").addEventListener("click", (event) => copy(command(current), "Command", event.target));
  $("tools").addEventListener("submit", (event) => event.preventDefault());
  $("search").addEventListener("input", update);
  for (const id of ["model", "state", "value"]) $(id).addEventListener("change", update);
  $("column").addEventListener("change", () => { offerValues(); update(); });
  $("sort").addEventListener("change", sort);
  $("reset")?.addEventListener("click", () => {
    $("tools").reset();
    offerValues();
    sort();
    $("search").focus();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || $("viewer").open || event.target.closest("input, select")) return;
    event.preventDefault();
    $("search").select();
  });

  if (entries.every((entry) => entry.row === undefined)) $("sort").querySelector("[value=file]").remove();
  $("tools").hidden = entries.length === 0;
  // A browser keeps what was typed before a reload.
  offerValues();
  if ($("sort").value !== "new") sort();
  else update();
  try {
    const wanted = decodeURIComponent(location.hash.slice(1));
    const entry = wanted && entries.find((entry) => entry.name === wanted);
    if (entry) open(entry);
  } catch { /* no picture's name */ }
})();
