// What protects the customer, said in a dialog: saved at once, kept as typed where it cannot be.
export function watchProtections(show) {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open=protect], [data-open=checked]");
    if (opener) begin(document.getElementById(opener.dataset.open), opener.dataset.statement);
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-protect]");
    if (!form) return;
    event.preventDefault();
    if (form.dataset.sending) return;
    form.dataset.sending = "true";
    const problem = form.querySelector("[role=alert]");
    problem.textContent = "";
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(form.action, { method: "POST", body }).catch(() => null);
    delete form.dataset.sending;
    if (response?.redirected) location.reload(); // signed out: the page itself says so
    if (!response?.ok) {
      problem.textContent = (response && (await said(response))) || problem.dataset.failed;
      return;
    }
    form.closest("dialog").close();
    form.reset();
    await show(await response.text());
    if (document.activeElement === document.body) document.getElementById("suggestions-title").focus();
  });
}

function begin(dialog, statement) {
  dialog.querySelector("[role=alert]").textContent = "";
  if (statement) dialog.querySelector("[name=statement]").value = statement;
  dialog.querySelector(statement ? "[name=why]" : "select, input").focus();
}

async function said(response) {
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.querySelector("#notice span")?.textContent;
}
