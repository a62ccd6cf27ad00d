  const data = {DATA};
  const words = [...box.querySelectorAll("li button")];
  const show = name => box.querySelector(`[data-show=${name}]`);
  const muted = word => word.getAttribute("aria-pressed") === "true";
  const mask = () => words.reduce((m, word, i) => muted(word) ? m : m | 1 << i, 0);
  const draw = () => {
    const which = data.which[mask()], utility = data.utilities[which];
    show("answer").textContent = data.answers[which] || "(nothing)";
    show("utility").textContent = `${words.filter(w => !muted(w)).length} of ${words.length} ` +
      `words heard; utility U(S) = ${utility.toFixed(3)}`;
    show("bar").style.width = 100 * Math.max(0, Math.min(1, utility)) + "%";
  };
  let context = null, source = null, sound = null;
  const button = box.querySelector("[data-do=play]"), label = button.textContent;
  const ended = () => { source = null; button.textContent = label; };
  const left = () => {
    const heard = context.createBuffer(1, sound.length, sound.sampleRate);
    const samples = heard.getChannelData(0);
    samples.set(sound.getChannelData(0));
    data.spans.forEach((span, i) => {
      const [from, to] = span.map(time => Math.round(time * sound.sampleRate));
      if (muted(words[i])) samples.fill(0, from, to);
    });
    box.dataset.heard = samples.reduce((count, x) => count + (x !== 0), 0);
    return heard;
  };
  const play = async () => {
    if (source) { source.onended = null; source.stop(); ended(); return; }
    context = context || new AudioContext();
    if (!sound) {
      const bytes = Uint8Array.from(atob("{SOUND}"), c => c.charCodeAt(0));
      sound = await context.decodeAudioData(bytes.buffer);
      if (source) return;
    }
    source = context.createBufferSource();
    source.buffer = left();
    source.connect(context.destination);
    const began = context.currentTime, mine = source;
    const light = () => {
      const now = context.currentTime - began;
      words.forEach((word, i) => word.classList.toggle("on", source === mine &&
        now >= data.spans[i][0] && now < data.spans[i][1] && !muted(word)));
      if (source === mine) requestAnimationFrame(light);
    };
    source.onended = () => { if (source === mine) ended(); };
    button.textContent = "■ Stop";
    source.start();
    light();
  };
  const press = (some, on) => { some.forEach(w => w.setAttribute("aria-pressed", on)); draw(); };
  words.forEach(word => word.addEventListener("click", () => press([word], !muted(word))));
  button.addEventListener("click", play);
  box.querySelector("[data-do=all]").addEventListener("click", () => press(words, false));
  box.querySelector("[data-do=none]").addEventListener("click", () => press(words, true));
  draw();
