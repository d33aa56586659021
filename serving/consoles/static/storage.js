// What the browser remembers. A frame in another site may be refused it: then nothing outlives the page.
export function recall(store, name) {
  try {
    return window[store].getItem(name);
  } catch {
    return null;
  }
}

export function remember(store, name, value) {
  try {
    window[store].setItem(name, value);
  } catch {
    // refused
  }
}
