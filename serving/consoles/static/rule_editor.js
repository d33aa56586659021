// The rule editor: asks the service about the rule while it is written, marks the fault in the text, inserts names.
(() => {
  const WAIT = 250;
  const timers = new WeakMap();
  const asked = new WeakMap(); // the question whose answer counts: an older one that comes late is dropped

  const editorOf = (element) => element.closest?.("[data-rule-editor]");
  const textOf = (editor) => editor.querySelector("textarea");

  async function check(editor) {
    const place = editor.querySelector("[data-check]");
    const body = new URLSearchParams({
      rule: textOf(editor).value, about: editor.dataset.about, wants_count: editor.dataset.wantsCount,
    });
    asked.set(editor, body);
    const answer = await fetch("/marketing/rule", { method: "POST", body }).catch(() => null);
    if (asked.get(editor) !== body) return;
    editor.removeAttribute("data-asking");
    if (!answer?.ok) return; // what was known before stays; saving checks the rule again
    place.innerHTML = await answer.text();
    mark(editor);
  }

  // A copy of the text lies under the field, in which the fault is underlined.
  function mark(editor) {
    const text = textOf(editor), mirror = editor.querySelector("[data-mirror]");
    const fault = editor.querySelector("[data-fault]");
    text.setAttribute("aria-invalid", String(Boolean(fault)));
    mirror.replaceChildren();
    if (!fault) return;
    const lines = text.value.split("\n"), { line, column, length } = fault.dataset;
    const letters = [...(lines[line - 1] ?? "")], start = column - 1, end = start + Math.max(length, 1);
    const part = (from, to) => letters.slice(from, to).join("");
    const underlined = document.createElement("mark");
    underlined.textContent = part(start, end) || " ";
    const before = [...lines.slice(0, line - 1), part(0, start)].join("\n");
    const after = [part(end), ...lines.slice(line)].join("\n");
    mirror.append(before, underlined, after);
    mirror.scrollTop = text.scrollTop;
  }

  function checkSoon(editor) {
    editor.dataset.asking = "";
    clearTimeout(timers.get(editor));
    timers.set(editor, setTimeout(() => check(editor), WAIT));
  }

  function insert(chip) {
    const editor = editorOf(chip), text = textOf(editor);
    const before = text.value.slice(0, text.selectionStart);
    const joint = /(^|\(|\b(and|or|not))\s*$/i.test(before) ? "" : " AND ";
    const [head, tail] = { number: [" >= ", ""], text: [" = '", "'"], boolean: ["", ""] }[chip.dataset.type];
    const name = /^[A-Za-z_]\w*$/.test(chip.dataset.insert) ? chip.dataset.insert : `"${chip.dataset.insert}"`;
    text.focus();
    text.setRangeText(joint.replace(/^ /, /\s$/.test(before) ? "" : " ") + name + head + tail, text.selectionStart, text.selectionEnd, "end");
    text.selectionEnd = text.selectionStart -= tail.length;
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  document.addEventListener("input", (event) => {
    const editor = editorOf(event.target);
    if (!editor) return;
    editor.querySelector("[data-mirror]").replaceChildren();
    checkSoon(editor);
  });
  document.addEventListener("scroll", (event) => {
    const editor = event.target instanceof Element && editorOf(event.target);
    if (editor) editor.querySelector("[data-mirror]").scrollTop = event.target.scrollTop;
  }, true);
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-insert]");
    if (chip) insert(chip);
  });
  const begin = () => document.querySelectorAll("[data-rule-editor]").forEach((editor) => asked.has(editor) || check(editor));
  begin();
  new MutationObserver(begin).observe(document.body, { childList: true, subtree: true });
})();
