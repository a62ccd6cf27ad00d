// What the theme leaves to do for readers who listen to a page, or who have no mouse.
(() => {
  const all = (selector, work) => document.querySelectorAll(selector).forEach(work);

  const name = () => {
    // The visible words are the name; another one would have to be guessed to be said.
    all('.search-button-field, summary[aria-label="Toggle hidden content"]', element => element.removeAttribute("aria-label"));
    all('[role="list"].citation-list, [role="doc-biblioentry"]', element => element.removeAttribute("role"));
    all(".sidebar-primary-item:has(> .navbar-brand)", logo => {
      logo.setAttribute("role", "region");
      logo.setAttribute("aria-label", "Start of the book");
    });
    all("thead th", head => {
      if (head.textContent.trim()) return;
      const corner = document.createElement("td");
      for (const { name, value } of head.attributes) corner.setAttribute(name, value);
      head.replaceWith(corner);
    });
  };

  const word = /^(NaN|–|to|±|\/|%|[kµm]?s|min|h|days|years|[kMGT]B|[-−+(<]*[\d.,]+(e[-+]?\d+)?[)%×]*)?$/;
  const number = text => text.trim().split(/\s+/).every(part => word.test(part));
  const align = () => all("table.dataframe", table => {
    const rows = [...table.tBodies].flatMap(body => [...body.rows]);
    if (!rows.length) return;
    table.querySelectorAll("tbody th").forEach(head => head.classList.toggle("short", number(head.textContent)));
    const width = Math.max(...rows.map(row => row.cells.length));
    const full = rows.find(row => row.cells.length === width);
    const fromEnd = (row, place) => row.cells[row.cells.length - place];
    for (let place = 1; place <= width; place++) {
      const cells = fromEnd(full, place).tagName === "TD" ? rows.map(row => fromEnd(row, place)) : [];
      const side = cells.length && cells.every(cell => number(cell.textContent)) ? "number" : "text";
      const heads = [...table.tHead?.rows ?? []].filter(row => row.cells.length === width).map(row => fromEnd(row, place));
      [...cells, ...heads].forEach(cell => cell.classList.add(side));
    }
  });

  // What scrolls sideways can be reached, and so scrolled, with the keyboard.
  const mine = "figure, div.math, mjx-container[display], .pst-scrollable-table-container";
  const reach = () => all(`${mine}, .cell_output > .output, pre`, box => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else if (box.matches(mine)) box.removeAttribute("tabindex");
  });

  const start = () => {
    name();
    align();
    reach();
    window.MathJax?.startup?.promise?.then(reach);
    let waiting;
    addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(reach, 200);
    });
  };
  if (document.readyState === "complete") start();
  else addEventListener("load", start);
})();
