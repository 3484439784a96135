// Search: sections that lack one of the words are hidden, words that are found are marked.
{
  const form = document.querySelector("form[role=search]");
  const input = form.querySelector("input"), told = form.querySelector("output");
  const sections = [...document.querySelectorAll("main section")].map((each) => [each, each.textContent.toLowerCase()]);
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [section, text] of sections) {
      section.hidden = !words.every((word) => text.includes(word));
      count += !section.hidden;
    }
    for (const article of document.querySelectorAll("main article")) {
      article.hidden = !article.querySelector("section:not([hidden])");
    }
    told.value = words.length ? `${count} of ${sections.length} sections` : "";
    mark(words);
  };
  const mark = (words) => {
    if (!CSS.highlights) return;
    const ranges = [];
    for (const [section] of words.length ? sections.filter(([each]) => !each.hidden) : []) {
      const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.data.toLowerCase();
        for (const word of words) {
          for (let at = text.indexOf(word); at >= 0 && word.length > 1; at = text.indexOf(word, at + word.length)) {
            const range = new Range();
            range.setStart(node, at);
            range.setEnd(node, at + word.length);
            ranges.push(range);
          }
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  };
  const clear = () => { input.value = ""; show(); };
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  // What a link leads to is shown, whatever was searched.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && document.getElementById(link.hash.slice(1))?.closest("[hidden]")) clear();
  });
  form.hidden = false;
}
