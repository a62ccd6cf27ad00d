  const audio = box.querySelector("audio"), head = box.querySelector(".sgpa-head");
  const view = box.querySelector(".sgpa-view"), words = [...box.querySelectorAll("button")];
  const lit = box.querySelector(".sgpa-lit");
  const spans = words.map(word => [+word.dataset.start, +word.dataset.end]);
  const total = +box.dataset.duration, part = time => 100 * time / total + "%";
  let stop = null;
  const draw = () => {
    const now = audio.currentTime;
    if (stop !== null && now >= stop) { audio.pause(); stop = null; }
    head.style.left = part(now);
    const on = audio.paused ? -1 : spans.findIndex(([start, end]) => now >= start && now < end);
    words.forEach((word, i) => word.classList.toggle("on", i === on));
    lit.hidden = on < 0;
    if (on >= 0) {
      lit.style.left = part(spans[on][0]);
      lit.style.width = part(spans[on][1] - spans[on][0]);
      lit.style.backgroundColor = words[on].style.backgroundColor;
    }
    if (!audio.paused) requestAnimationFrame(draw);
  };
  for (const change of ["play", "pause", "seeked"]) audio.addEventListener(change, draw);
  const play = (from, to) => { stop = to; audio.currentTime = from; audio.play().catch(() => {}); };
  words.forEach((word, i) => word.addEventListener("click", () => play(...spans[i])));
  view.addEventListener("click", event => {
    const place = view.getBoundingClientRect();
    const time = total * (event.clientX - place.left) / place.width;
    const span = spans.find(([start, end]) => time >= start && time < end);
    play(...(span || [time, null]));
  });
