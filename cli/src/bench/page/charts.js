// Says below a chart what its mark under the pointer is, or the one that the arrow keys came to.
for (const chart of document.querySelectorAll(".chart")) {
  const marks = [...chart.querySelectorAll(".mark")], tip = chart.nextElementSibling;
  let at = -1;
  const show = (next) => {
    marks[at]?.classList.remove("on");
    at = next;
    marks[at]?.classList.add("on");
    tip.textContent = marks[at]?.querySelector("title")?.textContent ?? marks[at]?.title ?? "";
  };
  chart.addEventListener("pointerover", (event) => {
    const mark = event.target.closest(".mark");
    if (mark) show(marks.indexOf(mark));
  });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step && marks.length) {
      event.preventDefault();
      show((at + step + marks.length) % marks.length);
    }
  });
  chart.addEventListener("focusin", () => at < 0 && marks.length && show(0));
}
