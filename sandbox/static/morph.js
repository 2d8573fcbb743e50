// Joins freshly drawn HTML into the page without losing focus, typed text, scroll or open menus.
// Elements with the same data-key are the same thing; the rest is matched in order by tag name.

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") || node.id || "" : "");

// What the browser or the page's script owns, not the server.
const TYPED = ["aria-invalid", "aria-expanded", "aria-activedescendant"];
const OWN_ATTRIBUTES = {
  DIALOG: ["open"],
  DETAILS: ["open", "data-up", "data-left"],
  UL: ["hidden"],
  LI: ["hidden", "aria-selected"],
  BUTTON: ["data-busy"],
  SUMMARY: ["data-busy"],
  INPUT: TYPED,
  SELECT: TYPED,
  TEXTAREA: TYPED,
};

function morphAttributes(from, to) {
  const own = OWN_ATTRIBUTES[from.nodeName] || [];
  for (const { name } of [...from.attributes]) {
    if (!own.includes(name) && !to.hasAttribute(name)) from.removeAttribute(name);
  }
  for (const { name, value } of [...to.attributes]) {
    if (!own.includes(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
}

function discard(node) {
  // A dialog that is closed first gives the focus back to where it was.
  if (node.nodeName === "DIALOG" && node.open) node.close();
  node.remove();
}

function morphChildren(from, to) {
  const keyed = new Map();
  for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
  const wanted = new Set([...to.childNodes].map(keyOf).filter(Boolean));
  let next = from.firstChild;
  for (const target of [...to.childNodes]) {
    const key = keyOf(target);
    // Leave behind what has gone, so that its successor takes its place.
    while (next && keyOf(next) && !wanted.has(keyOf(next))) {
      const gone = next;
      next = next.nextSibling;
      discard(gone);
    }
    let match = key ? keyed.get(key) : null;
    if (!key && next && !keyOf(next) && next.nodeName === target.nodeName) match = next;
    if (!match) {
      from.insertBefore(document.importNode(target, true), next);
    } else {
      if (match === next) next = next.nextSibling;
      else from.insertBefore(match, next);
      morph(match, target);
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    discard(gone);
  }
}

export function morph(from, to) {
  if (from.nodeType !== 1) {
    if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
    return;
  }
  if (from.nodeName !== to.nodeName) {
    from.replaceWith(document.importNode(to, true));
    return;
  }
  if (from.isEqualNode(to)) return;
  if (from.matches("[data-error], [data-form-error]")) return; // the script fills it after a refusal
  morphAttributes(from, to);
  morphChildren(from, to);
}
