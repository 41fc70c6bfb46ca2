// Small helps; every page works without them.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy], button[data-print]");
  if (!button) return;
  if (button.hasAttribute("data-print")) return window.print();
  const block = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(block.textContent);
  } catch {
    // Without a secure origin there is no clipboard: mark the text, so that Ctrl+C takes it.
    getSelection().selectAllChildren(block);
    return;
  }
  const said = button.textContent;
  button.textContent = button.dataset.copy;
  setTimeout(() => { button.textContent = said; }, 1600);
});
