document.querySelector("header").hidden = self !== top; // a page that shows this one has a title
readState();
controls();
fill();
show();
