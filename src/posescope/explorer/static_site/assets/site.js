// The page of a run without a server. All data is in the element #content; nothing is loaded. Texts of the run are only ever set
// as text; plotly reads tags in its texts, so they are escaped there. Rows are places in the arrays of #content.
"use strict";
(() => {
  const ARRAYS = { f4: Float32Array, i4: Int32Array, i2: Int16Array, u1: Uint8Array };
  const SVG = "http://www.w3.org/2000/svg", OUTLINE = "#141414";
  const UNKNOWN_JOINT = -32768, JOINT_STEPS = 10, BINS = 24, STEPS = 100, PER_PAGE = 24;

  // Helpers.
  const byId = (id) => document.getElementById(id);
  const on = (id, event, action) => byId(id).addEventListener(event, action);
  const grouped = (number) => number.toLocaleString("en");
  const rounded = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
  const setText = (texts) => Object.entries(texts).forEach(([id, text]) => (byId(id).textContent = text));
  const jpeg = (base64) => `data:image/jpeg;base64,${base64}`;
  const escapeTags = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const withoutWebGL = document.createElement("canvas").getContext("webgl") ? {} : { type: "scatter" };
  const unpack = ({ dtype, bdata }) => new ARRAYS[dtype](Uint8Array.from(atob(bdata), (letter) => letter.charCodeAt(0)).buffer);

  const build = (create) => (tag, attributes = {}, ...children) => {
    const made = create(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const element = build((tag) => document.createElement(tag)), shape = build((tag) => document.createElementNS(SVG, tag));

  const tableRow = ([first, ...others]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...others.map((text) => element("td", {}, text)));

  // Data.
  const content = JSON.parse(byId("content").textContent);
  const ids = content.person_ids, rowOf = new Map(ids.map((id, row) => [id, row])), count = ids.length, allRows = [...ids.keys()];
  const [x, y, splitOf, similar] = [content.map.x, content.map.y, content.split_of, content.similar].map(unpack);
  const [labelled, predicted, scores] = [content.joints_true, content.joints_predicted, content.scores].map(unpack);
  const { joints: jointNames, colours: jointColours, limbs } = content.skeleton;
  const columns = new Map(content.columns.map((column) => [column.name, openColumn(column)]));
  const groups = document.querySelectorAll("[data-group]"), splitAt = (row) => content.splits[splitOf[row]];
  const errors = columns.get("error")?.values ?? new Float32Array(count).fill(NaN);
  const state = { filters: new Map(), file: "", selection: [], person: null, page: 0 };
  let passing = allRows, cards = [], redraws = 0, isWaiting = true;

  // The bin of a row is one of 24 for a number, the first label for labels; NaN or -1 if unknown.
  function openColumn(column) {
    if (column.values) {
      const values = unpack(column.values), [low, high] = column.limits;
      const binOf = (row) => Math.min(Math.floor(((values[row] - low) / (high - low || 1)) * BINS), BINS - 1);
      return { ...column, values, binOf, valueAt: (step) => low + ((high - low) * step) / STEPS };
    }
    const bits = unpack(column.members), stride = Math.ceil(count / 8); // a row of bits per label
    const has = (row, label) => ((bits[label * stride + (row >> 3)] >> (row & 7)) & 1) === 1;
    return { ...column, has, binOf: (row) => column.names.findIndex((_, label) => has(row, label)) };
  }

  // Joints of a person as [x, y] in crop px, null where unknown.
  function jointsAt(tenths, row) {
    const at = (joint) => 2 * (row * jointNames.length + joint);
    const known = (joint) => tenths[at(joint)] !== UNKNOWN_JOINT;
    return jointNames.map((_, joint) => (known(joint) ? [0, 1].map((axis) => tenths[at(joint) + axis] / JOINT_STEPS) : null));
  }

  const restart = () => { state.page = 0; redraw(); }, turn = (page) => { state.page = page; drawGallery(); };

  function draw() {
    isWaiting = false;
    passing = allRows.filter(passes);
    const persons = count === 1 ? "person passes" : "persons pass";
    setText({ passing: `${grouped(passing.length)} of ${grouped(count)} ${persons} the filters.` });
    for (const card of cards) card.update();
    drawMap();
    drawGallery();
  }

  // Draws once for all changes until the next frame, and not before the start has ended.
  function redraw() {
    if (!isWaiting) requestAnimationFrame(draw);
    isWaiting = true;
  }

  // Filters.
  function passes(row) {
    if (state.file && !content.file_names[row].toLowerCase().includes(state.file)) return false;
    return [...state.filters].every(([column, filter]) => {
      if (column.has) return !filter.size || [...filter].some((label) => column.has(row, label));
      // At its limits a filter lets unknown values pass; comparisons with NaN are false.
      const { low, high } = filter, value = column.values[row];
      return (low === 0 || value >= column.valueAt(low)) && (high === STEPS || value <= column.valueAt(high));
    });
  }

  function addCard(name) {
    const column = columns.get(name);
    if (!column || state.filters.has(column)) return;
    const unit = element("span", { class: "unit" }, column.unit ? `, ${column.unit}` : "");
    const card = column.has ? labelCard(column) : rangeCard(column);
    byId("cards").append(element("fieldset", { class: "filter" }, element("legend", {}, column.title, unit), ...card.parts));
    cards.push(card);
    redraw();
  }

  function rangeCard(column) {
    const filter = { low: 0, high: STEPS }, words = element("output", { class: "more" });
    const bars = element("div", { class: "bins", "aria-hidden": "true" });
    const countBins = (rows) => {
      const bins = new Array(BINS).fill(0);
      for (const bin of rows.map(column.binOf)) if (bin >= 0) bins[bin] += 1;
      return bins;
    };
    const all = countBins(allRows), most = Math.max(...all, 1);
    const bar = (name, number) => element("span", { class: name, style: `height: ${(100 * number) / most}%` });
    const ends = ["low", "high"].map((end) => {
      const label = `${column.title}, ${end === "low" ? "lowest" : "highest"} value`;
      const input = element("input", { type: "range", min: 0, max: STEPS, value: filter[end], "aria-label": label });
      input.oninput = () => { filter[end] = Number(input.value); restart(); };
      return input;
    });
    state.filters.set(column, filter);
    const update = () => {
      const own = countBins(passing), limits = [filter.low, filter.high].map((step) => rounded(column.valueAt(step)));
      const pair = (number, bin) => element("div", { class: "bin" }, bar("all", number), bar("own", own[bin]));
      bars.replaceChildren(...all.map(pair));
      words.value = `${limits.join(" to ")} ${column.unit}`.trim();
      ends.forEach((input, place) => input.setAttribute("aria-valuetext", `${limits[place]} ${column.unit}`));
    };
    return { parts: [bars, ...ends, words], update };
  }

  function labelCard(column) {
    const filter = new Set(), countOf = (rows, label) => rows.filter((row) => column.has(row, label)).length;
    state.filters.set(column, filter);
    const lines = column.names.map((name, label) => {
      const [number, bar] = ["count", "own"].map((kind) => element("span", { class: kind }));
      const input = element("input", { type: "checkbox" }), total = countOf(allRows, label);
      input.onchange = () => { filter[input.checked ? "add" : "delete"](label); restart(); };
      const update = () => {
        const own = countOf(passing, label);
        number.textContent = `${grouped(own)} of ${grouped(total)}`;
        bar.style.width = `${(100 * own) / Math.max(total, 1)}%`;
      };
      const track = element("span", { class: "bar all", "aria-hidden": "true" }, bar);
      return { part: element("label", {}, input, element("span", { class: "label" }, name, number, track)), update };
    });
    const all = element("div", { class: "labels" }, ...lines.map(({ part }) => part));
    return { parts: [all], update: () => lines.forEach(({ update }) => update()) };
  }

  function resetFilters() {
    state.filters.clear();
    [cards, state.file, byId("file").value] = [[], "", ""];
    byId("cards").replaceChildren();
    ["error", "radius", "cluster", "split"].forEach(addCard);
    restart();
  }

  // Map.
  function points(rows, name, marker, more = {}) {
    const of = (values) => Float32Array.from(rows, (row) => values[row]);
    return {
      ...content.map.point, ...withoutWebGL, x: of(x), y: of(y), customdata: rows.map((row) => ids[row]), name: escapeTags(name),
      marker: { size: rows.length <= 5000 ? 6 : 4, opacity: 0.75, ...marker },
      hovertemplate: `person %{customdata}<br>${escapeTags(name)}<extra></extra>`, ...more,
    };
  }

  function colourTraces(column) {
    const unknown = passing.filter((row) => !(column.binOf(row) >= 0));
    const traces = [points(unknown, column.has ? "none" : "unknown", { color: content.map.unknown })];
    if (column.has) {
      const colour = (label) => content.map.palette[label % content.map.palette.length];
      const rowsOf = (label) => passing.filter((row) => column.binOf(row) === label);
      traces.push(...column.names.map((name, label) => points(rowsOf(label), name, { color: colour(label) })));
    } else {
      const known = passing.filter((row) => column.binOf(row) >= 0), color = Float32Array.from(known, (row) => column.values[row]);
      const value = `${escapeTags(column.title)} %{marker.color:.3g} ${escapeTags(column.unit)}`;
      const hovertemplate = `person %{customdata}<br>${value}<extra></extra>`;
      traces.push(points(known, column.title, { ...column.marker, ...content.map.scale, color }, { hovertemplate }));
    }
    return traces.filter((trace, place) => trace.x.length || (!column.has && place)); // the colour bar stays without points
  }

  function drawMap() {
    const over = { hoverinfo: "skip", hovertemplate: null, showlegend: false }, selection = new Set(state.selection);
    const column = columns.get(byId("colour").value), traces = colourTraces(column);
    const selected = passing.filter((row) => selection.has(row));
    const rings = [["Behind the selected", content.map.behind], ["Selected", content.map.selected]];
    if (selected.length) traces.push(...rings.map(([name, marker]) => points(selected, name, marker, over)));
    if (state.person !== null) traces.push(points([state.person], "This person", content.map.person, over));
    // plotly writes into its layout. Rings show the selection, so each redraw removes the drawn outline.
    const changes = { showlegend: Boolean(column.has), selections: [], selectionrevision: (redraws += 1) };
    const buttons = [["lasso2d", "select2d", "pan2d", "zoom2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]];
    const config = { scrollZoom: false, displaylogo: false, displayModeBar: true, modeBarButtons: buttons, responsive: true };
    Plotly.react(byId("map"), traces, { ...structuredClone(content.map.layout), ...changes }, config);
  }

  // Selection and thumbnails.
  function select(rows, group = "") {
    state.selection = [...new Set(rows)].sort((one, other) => one - other);
    const number = state.selection.length, known = state.selection.map((row) => errors[row]).filter(Number.isFinite);
    const mean = rounded(known.reduce((sum, one) => sum + one, 0) / known.length);
    const words = `${grouped(number)} selected.${known.length ? ` Mean error ${mean} % of the crop.` : ""}`;
    setText({ selected: number ? words : "No person is selected. Draw around persons, choose a group, or select all shown." });
    byId("download").disabled = !number;
    for (const button of groups) button.setAttribute("aria-pressed", button.dataset.group === group);
    restart();
  }

  function selectGroup(id) {
    const column = columns.get("slices"), label = column ? column.labels.indexOf(id) : -1;
    select(label < 0 ? [] : allRows.filter((row) => column.has(row, label)), id);
  }

  function drawGallery() {
    const rows = [...(state.selection.length ? state.selection : passing)], order = byId("order").value;
    const sign = order === "best" ? 1 : -1, rank = (row) => (Number.isFinite(errors[row]) ? sign * errors[row] : Infinity);
    if (order !== "table") rows.sort((one, other) => (rank(one) === rank(other) ? one - other : rank(one) - rank(other)));
    const pages = Math.max(Math.ceil(rows.length / PER_PAGE), 1);
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    setText({ "page-number": `Page ${state.page + 1} of ${pages}` });
    byId("persons-gallery").replaceChildren(...rows.slice(state.page * PER_PAGE, (state.page + 1) * PER_PAGE).map(thumbnail));
  }

  function thumbnail(row) {
    const text = Number.isFinite(errors[row]) ? `${errors[row].toFixed(1)} %` : "no label", source = content.thumbnails[row];
    const picture = source ? element("img", { src: jpeg(source), alt: "" }) : drawSkeletons("", jointsAt(predicted, row), []);
    const label = `Person ${ids[row]}, error ${text}`;
    const button = element("button", { class: "thumb", title: label, "aria-label": label }, picture, element("span", {}, text));
    button.onclick = () => showPerson(row);
    return button;
  }

  function downloadIds() {
    // An apostrophe keeps spreadsheets from reading a name as a formula.
    const cell = (text) => `"${text.replace(/^(?=[=+\-@\t\r])/, "'").replace(/"/g, '""')}"`;
    const line = (row) => [ids[row], cell(splitAt(row)), content.image_ids[row], content.annotation_ids[row]].join(",");
    const text = ["person_id,source_split,image_id,annotation_id", ...state.selection.map(line), ""].join("\n");
    const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    element("a", { href: address, download: "selected_persons.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  // One person. Thick coloured lines on a picture or on plain ground; below them a second skeleton as thin dashed white lines.
  function drawSkeletons(picture, skeleton, reference, words = "") {
    const [height, width] = content.crop_size, unit = Math.max(height, width) / 96;
    const frame = { x: -0.5, y: -0.5, width, height }; // a pixel's centre is an integer
    const known = (joints) => limbs.filter(([a, b]) => joints[a] && joints[b]);
    const lines = (joints, thickness, colour, more = {}) => known(joints).map(([a, b, own]) => {
      const [[x1, y1], [x2, y2]] = [joints[a], joints[b]];
      const stroke = { stroke: colour || own, "stroke-width": thickness * unit, "stroke-linecap": "round" };
      return shape("line", { x1, y1, x2, y2, ...stroke, ...more });
    });
    const dot = { r: 1.4 * unit, stroke: OUTLINE, "stroke-width": 0.4 * unit }, dashes = `${2.5 * unit} ${1.5 * unit}`;
    const dots = skeleton.map((at, joint) => at && shape("circle", { cx: at[0], cy: at[1], fill: jointColours[joint], ...dot }));
    const plain = shape("rect", { ...frame, class: "plain-ground" });
    const ground = picture ? shape("image", { ...frame, href: jpeg(picture) }) : plain;
    const label = words ? { role: "img", "aria-label": words } : { "aria-hidden": "true" };
    return shape("svg", { viewBox: `-0.5 -0.5 ${width} ${height}`, class: "skeletons", ...label }, ground,
      ...lines(reference, 1.4, OUTLINE), ...lines(reference, 0.8, "#fff", { "stroke-dasharray": dashes }),
      ...lines(skeleton, 2.2, OUTLINE), ...lines(skeleton, 1.5), ...dots.filter(Boolean));
  }

  function showPerson(row) {
    state.person = row;
    const own = jointsAt(predicted, row), label = jointsAt(labelled, row), many = similar.length / count;
    const annotation = `annotation ${content.annotation_ids[row]} of image ${content.image_ids[row]} in ${splitAt(row)}`;
    const origin = [content.file_names[row], annotation].filter(Boolean).join(", ");
    const number = (value, unit) => (Number.isFinite(value) ? `${rounded(value)} ${unit}`.trim() : "unknown");
    const labels = ({ names, has }) => names.filter((_, place) => has(row, place)).join("; ") || "none";
    const fact = (column) => tableRow([column.title, column.has ? labels(column) : number(column.values[row], column.unit)]);
    const isPose = ({ name }) => /^(component|attribute)_/.test(name), all = [...columns.values()];
    const apart = (a, b) => (a && b ? `${Math.hypot(a[0] - b[0], a[1] - b[1]).toFixed(1)} px` : "unlabelled");
    const score = (joint) => scores[row * jointNames.length + joint].toFixed(2);
    const alike = [...similar.slice(row * many, (row + 1) * many)].filter((one) => one >= 0);
    setText({ "person-title": `Person ${ids[row]}`, "person-origin": origin });
    const fill = (id, ...parts) => byId(id).replaceChildren(...parts), words = `Person ${ids[row]}: prediction and annotation`;
    fill("person-picture", drawSkeletons(content.thumbnails[row], own, label, words));
    fill("person-facts", ...all.filter((column) => !isPose(column)).map(fact));
    fill("person-pose", ...all.filter(isPose).map(fact));
    fill("person-joints", ...jointNames.map((name, joint) => tableRow([name, apart(own[joint], label[joint]), score(joint)])));
    fill("person-similar", ...alike.map(thumbnail));
    [byId("no-person").hidden, byId("person").hidden] = [true, false];
    const { top, bottom } = byId("detail").getBoundingClientRect();
    if (top > 0.8 * innerHeight || bottom < 0.2 * innerHeight) byId("detail").scrollIntoView();
    redraw();
  }

  // Latent space.
  function showPosition() {
    const { positions, components, starts } = content.traversals, number = Number(byId("component").value);
    const place = Number(byId("position").value), offset = positions[place], { low, high, explained } = components[number];
    const towards = offset && low ? `, towards “${offset < 0 ? low : high}”` : "";
    const words = `${offset > 0 ? "+" : ""}${rounded(offset)} standard deviations${towards}`;
    setText({ "component-words": explained, low, high, "position-words": words });
    byId("position").setAttribute("aria-valuetext", words);
    document.querySelectorAll(".answer").forEach((section, which) => {
      const start = starts[which], picture = start.pictures[start.places[number][place]];
      const part = (name) => section.querySelector(`.${name}`);
      const [moved, before] = [picture, start.pictures[0]].map((one) => jointsAt(unpack(one.joints), 0));
      const nearest = picture.nearest.filter((id) => rowOf.has(id)).map((id) => thumbnail(rowOf.get(id)));
      for (const button of nearest) button.addEventListener("click", () => openTab("persons"));
      part("skeleton").replaceChildren(drawSkeletons(start.background, moved, before, `Predicted skeleton, ${words}`));
      part("heatmap").replaceChildren(element("img", { src: jpeg(picture.heatmap), alt: `Heatmap, ${words}` }));
      part("thumbs").replaceChildren(...nearest);
      part("words").textContent = picture.words;
    });
  }

  // Start.
  function openTab(name) {
    for (const one of ["persons", "latent"]) {
      byId(`panel-${one}`).hidden = one !== name;
      byId(`tab-${one}`).setAttribute("aria-selected", one === name);
    }
    if (name === "persons") Plotly.Plots.resize(byId("map")); // it has no size while it is hidden
  }

  // #slice=slice-1 selects a group, #person=7 opens a person, #tab=latent a tab.
  function followAddress() {
    const address = new URLSearchParams(location.hash.slice(1)), row = rowOf.get(Number(address.get("person") ?? NaN));
    if (address.has("slice")) selectGroup(address.get("slice"));
    if (row !== undefined) showPerson(row);
    if (address.has("tab")) openTab(address.get("tab") === "latent" ? "latent" : "persons");
  }

  const openGroup = ({ dataset: { group, address } }) => { selectGroup(group); location.hash = address; };
  for (const button of groups) button.onclick = () => openGroup(button);
  resetFilters();
  select([]);
  if (content.traversals.starts.length) showPosition();
  followAddress();
  draw();
  byId("map").on("plotly_click", ({ points: [point] }) => showPerson(rowOf.get(point.customdata)));
  byId("map").on("plotly_selected", (drawn) => {
    // Removing the outline is an event as well, without a shape.
    if (drawn?.lassoPoints || drawn?.range) select(drawn.points.map((point) => rowOf.get(point.customdata)));
  });
  on("colour", "change", redraw);
  on("file", "input", ({ target }) => { state.file = target.value.trim().toLowerCase(); restart(); });
  on("add-filter", "change", ({ target }) => { addCard(target.value); target.value = ""; });
  on("component", "change", showPosition);
  on("position", "input", showPosition);
  on("reset", "click", resetFilters);
  on("select-all", "click", () => select(passing));
  on("clear", "click", () => select([]));
  on("download", "click", downloadIds);
  on("order", "change", () => turn(0));
  on("previous", "click", () => turn(state.page - 1));
  on("next", "click", () => turn(state.page + 1));
  for (const name of ["persons", "latent"]) on(`tab-${name}`, "click", () => openTab(name));
  addEventListener("hashchange", followAddress);
})();
