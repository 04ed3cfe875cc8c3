"use strict";
(() => {
  const clips = JSON.parse(document.getElementById("clips").textContent);
  const [world, direction, seed, place, status, play, time, frame] = [
    "world", "direction", "seed", "clips-shown", "status", "play", "time", "frame",
  ].map((id) => document.getElementById(id));
  if (!world) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let videos = [];
  let addresses = [];
  let playing = false;

  const options = (select, names) => select.replaceChildren(...names.map((name) => new Option(name, name)));
  const chosen = () => clips[world.value];
  const last = () => Number(time.max);

  function address(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const made = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    addresses.push(made);
    return made;
  }

  function figure(name, note, video) {
    const element = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.append(name.replaceAll("_", "_\u200b"));
    if (note) {
      const small = document.createElement("small");
      small.append(note);
      caption.append(small);
    }
    const shown = document.createElement("video");
    shown.muted = true;
    shown.playsInline = true;
    shown.preload = "auto";
    shown.setAttribute("aria-label", note ? `${name}: ${note}` : name);
    shown.src = address(video);
    element.append(shown, caption);
    return element;
  }

  function show() {
    pause();
    addresses.forEach((old) => URL.revokeObjectURL(old));
    addresses = [];
    const to = direction.value;
    const from = to === "y" ? "x" : "y";
    const found = chosen().seeds[seed.value];
    const figures = [
      figure(`Input ${from}`, "", found[from]),
      figure(chosen().paired ? `Truth ${to}` : `Some ${to}`, "", found[to]),
      ...found.made.map((made) => figure(made.name, made.notes[to], made[to])),
    ];
    place.replaceChildren(...figures);
    videos = [...place.querySelectorAll("video")];
    time.max = chosen().frames - 1;
    seek(0);
    status.textContent = `${world.value}, ${from} to ${to}, seed ${seed.value}: ${videos.length} videos.`;
  }

  function tell() {
    const words = `${Number(time.value) + 1} of ${last() + 1}`;
    frame.textContent = words;
    time.setAttribute("aria-valuetext", `frame ${words}`);
  }

  function seek(number) {
    time.value = Math.min(Math.max(number, 0), last());
    const at = (Number(time.value) + 0.5) / chosen().rate;
    videos.forEach((video) => { video.currentTime = at; });
    tell();
  }

  function pause() {
    playing = false;
    play.textContent = "Play";
    videos.forEach((video) => video.pause());
  }

  function start() {
    playing = true;
    play.textContent = "Pause";
    if (Number(time.value) === last()) seek(0);
    Promise.all(videos.map((video) => video.play())).catch(() => {});
    requestAnimationFrame(follow);
  }

  // The first video leads; others that are more than half a frame apart from it are set to its time.
  function follow() {
    if (!playing) return;
    const [leader, ...others] = videos;
    if (leader.ended || leader.currentTime >= (last() + 0.9) / chosen().rate) {
      pause();
      if (still.matches) seek(last());
      else { seek(0); start(); }
      return;
    }
    others.forEach((video) => {
      if (!video.seeking && Math.abs(video.currentTime - leader.currentTime) > 0.5 / chosen().rate) {
        video.currentTime = leader.currentTime;
      }
    });
    time.value = Math.floor(leader.currentTime * chosen().rate);
    tell();
    requestAnimationFrame(follow);
  }

  function stop() {
    if (playing) { pause(); seek(Number(time.value)); }
  }

  function inView() {
    const box = place.getBoundingClientRect();
    return box.bottom > 0 && box.top < innerHeight;
  }

  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || !inView()) return;
    if (target.closest("button, select, a, summary, .scroll, pre")) return;
    const onTime = target === time;
    if (key === " ") playing ? stop() : start();
    else if (key === "ArrowLeft" && !onTime) { stop(); seek(Number(time.value) - 1); }
    else if (key === "ArrowRight" && !onTime) { stop(); seek(Number(time.value) + 1); }
    else return;
    event.preventDefault();
  });
  play.addEventListener("click", () => (playing ? stop() : start()));
  time.addEventListener("input", () => { const wanted = Number(time.value); pause(); seek(wanted); });
  world.addEventListener("change", () => { options(seed, Object.keys(chosen().seeds)); show(); });
  [direction, seed].forEach((select) => select.addEventListener("change", show));

  options(world, Object.keys(clips));
  options(seed, Object.keys(chosen().seeds));
  show();
})();
