"""Pages of the story that stay open for several tests, one for each size of the window: to open one takes seconds.

A test may move clock and mouse, scroll, choose a level of the drawing or of the text, reveal a guess and try again, and
change the treatment. After it the page goes back to its beginning: the history of the browser takes changes of the
treatment back, and everything that is computed must then be what it was when the page was opened.
A page that differs from one just opened, because the test changed something else, is closed.
"""

from contextlib import contextmanager

from browser_helpers import SETTLED, new_page, open_story, until, wait_for_computed

STATE = """() => ({
  address: location.hash,
  scenario: document.querySelector('.current-scenario strong').textContent,
  canUndo: !document.querySelector('#undo').hidden,
  level: document.querySelector('.drawing[data-state=shown]')?.dataset.level,
  opened: document.querySelectorAll('dialog[open], details[open], :popover-open').length,
  pressed: [...document.querySelectorAll('[aria-pressed=true]')].map(e => e.id || e.textContent).join(),
  notes: [...document.querySelectorAll('.point-note')].filter(e => e.checkVisibility()).length,
  guesses: document.querySelectorAll('.guess-curve').length,
  look: [document.body.className, JSON.stringify({ ...document.documentElement.dataset }), scrollY].join(),
  stored: JSON.stringify({ ...localStorage }),
})"""
BACK_TO_THE_BEGINNING = f"""async (hours) => {{
  const {{ selectedTime }} = await import('./js/time-slider.js');
  const {{ readingLevel }} = await import('./js/reading-level.js');
  const settle = {SETTLED};
  document.activeElement.blur();
  if (readingLevel.level !== 'plain') document.querySelector('#reading-level input[value=plain]').click();
  localStorage.removeItem('reading level');
  if (scrollY) {{
    scrollTo({{ top: 0, behavior: 'instant' }});
    await settle(150);  // the chapter in view sets level and clock
  }}
  if (document.querySelector('.drawing[data-state=shown]')?.dataset.level !== 'synapse')
    document.querySelector('button[data-level=synapse]').click();
  if (selectedTime.hours !== hours) {{
    selectedTime.set(hours);
    await settle(400);  // the address follows the clock
  }}
}}"""
COUNT_CHANGES = """() => {
  window.changesOfTreatment = 0;
  const shown = document.querySelector('.current-scenario strong');  // set at every change
  new MutationObserver(() => { window.changesOfTreatment += 1; }).observe(shown, { childList: true });
}"""
BEFORE_ALL_CHANGES = """() => new Promise((done) => {
  const isChanged = window.changesOfTreatment > 0;
  if (!history.state.steps) return done(isChanged);
  addEventListener('popstate', () => done(isChanged), { once: true });
  history.go(-history.state.steps);
})"""
COMPUTED = """() => [
  ...[...document.querySelectorAll('main path.curve, main path.band')].map(e => e.getAttribute('d')),
  ...[...document.querySelectorAll('#leading-way, #mood-now, [data-mechanism], #pathways-figures, #ten-people')]
    .map(e => e.textContent),
]"""  # what depends on the treatment and not on the place of the reader; a figure first seen adds curves
SAME_AGAIN = f"""async (known) => {{
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const isSame = () => {{
    const now = new Set(({COMPUTED})());
    return !document.querySelector('figure.stale') && known.every((one) => now.has(one));
  }};
  for (let i = 0; i < 300; i++) {{
    if (isSame()) {{
      await wait(400);  // what is computed last begins 350 ms after a change
      if (isSame()) return true;
    }}
    await wait(100);
  }}
  return false;
}}"""
FIRST_HOUR = 2 / 3  # of a page just opened
MOST_OPEN = 6


class SharedStories:
    """The open pages by size, each with the state in which it was opened."""

    def __init__(self, browser, address):
        self._browser, self._address, self._pages = browser, address, {}

    @contextmanager
    def lend(self, width, height):
        """A page of this size at its beginning."""
        size = width, height
        if size not in self._pages and len(self._pages) == MOST_OPEN:
            self._close(next(iter(self._pages)))  # the one lent longest ago
        page, state, computed = self._pages[size] = self._pages.pop(size, None) or self._opened(width, height)
        try:
            page.evaluate(COUNT_CHANGES)
            yield page
            is_changed = page.evaluate(BEFORE_ALL_CHANGES)
            is_unchanged = self._state_at_the_beginning(page) == state
            if is_changed and is_unchanged:
                is_unchanged = page.evaluate(SAME_AGAIN, computed)
        except BaseException:
            is_unchanged = False
            raise
        finally:
            if not is_unchanged:
                self._close(size)

    def close(self):
        """Close every page."""
        for size in tuple(self._pages):
            self._close(size)

    def _close(self, size):
        self._pages.pop(size)[0].context.close()

    def _opened(self, width, height):
        page = new_page(self._browser, width, height)
        open_story(page, self._address)
        until(page, "document.querySelector('.people-row') !== null")  # computed last
        wait_for_computed(page)
        return page, self._state_at_the_beginning(page), page.evaluate(COMPUTED)

    def _state_at_the_beginning(self, page):
        page.mouse.move(0, 0)
        page.evaluate(BACK_TO_THE_BEGINNING, FIRST_HOUR)
        return page.evaluate(STATE)
