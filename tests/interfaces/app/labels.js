// Labels of figures that lie over each other, texts outside the window, and whether the page scrolls sideways.
() => {
  const isShown = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const overlaps = [];
  for (const figure of document.querySelectorAll("figure > svg, .score-drawing, .dose-marks, .time-slider .ticks, .stage svg")) {
    const texts = [...figure.querySelectorAll("text, span")].filter((one) => one.textContent.trim() && isShown(one));
    texts.forEach((one, i) => {
      const a = one.getBoundingClientRect();
      for (const other of texts.slice(i + 1)) {
        const b = other.getBoundingClientRect();
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > 1.5 && height > 4) overlaps.push(`${one.textContent} | ${other.textContent}`);
      }
    });
  }
  const ignored = "svg, .scroll-x, .visually-hidden, .skip-link, dialog, [popover]";
  const clipped = [...document.querySelectorAll("main *, header *, footer *, .time-bar *")]
    .filter((node) => node.textContent.trim() && !node.closest(ignored) && isShown(node))
    .filter((node) => {
      const { left, right } = node.getBoundingClientRect();
      return right > innerWidth + 1 || left < -1;
    })
    .map((node) => node.textContent.slice(0, 40));
  return { overlaps, clipped, scrolls: document.documentElement.scrollWidth > innerWidth + 1 };
}
