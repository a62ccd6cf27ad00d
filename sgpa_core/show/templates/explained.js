  const spoken = [...box.querySelectorAll("button[data-start]")];
  const words = [...box.querySelectorAll("button[data-from]")];
  const from = words.map(word => JSON.parse(word.dataset.from));
  const largest = Math.max(1e-9, ...from.flat().map(Math.abs));
  const own = spoken.map(word => word.getAttribute("style") || "");
  const status = box.querySelector("[data-show=from]"), hint = status.textContent;
  const mixed = value => {
    const strength = {DEEPEST} * Math.abs(value) / largest;
    const colour = value < 0 ? [213, 94, 0] : [0, 114, 178];
    return strength < .01 ? "" : `color:#000;background:rgb(${colour.map(c =>
      Math.round(255 + strength * (c - 255)))})`;
  };
  const name = word => word.firstChild.textContent;
  const told = (title, others, values) => {
    const large = values.map((value, i) => [value, i]).filter(([value]) => Math.abs(value) >= .05)
      .sort(([a], [b]) => Math.abs(b) - Math.abs(a)).slice(0, 4);
    status.textContent = `${title}: ` + (large.map(([value, i]) =>
      `${name(others[i])} ${value.toFixed(2).replace("-", "−").replace(/^(?!−)/, "+")}`)
      .join(", ") || "nothing over 0.05");
  };
  const shade = (some, values) => some.forEach((word, i) => { word.style.cssText = mixed(values[i]); });
  let pinned = null;
  const clear = () => {
    spoken.forEach((word, i) => { word.style.cssText = own[i]; });
    words.forEach(word => { word.style.cssText = ""; });
    status.textContent = hint;
  };
  const back = () => { clear(); if (pinned) pinned(); };
  const link = (word, show) => {
    const over = () => { clear(); show(); };
    for (const event of ["mouseenter", "focus"]) word.addEventListener(event, over);
    for (const event of ["mouseleave", "blur"]) word.addEventListener(event, back);
  };
  words.forEach((word, j) => {
    const show = () => {
      shade(spoken, from[j]);
      words[j].style.cssText = "outline:2px solid var(--ring)";
      told(`“${name(word)}” is there thanks to`, spoken, from[j]);
    };
    link(word, show);
    word.addEventListener("click", () => { pinned = pinned === show ? null : show; back(); });
  });
  if (words.length) spoken.forEach((word, i) => link(word, () => {
    const values = from.map(column => column[i]);
    shade(words, values);
    told(`“${name(word)}” brings`, words, values);
  }));
  if (!words.length) status.remove();
