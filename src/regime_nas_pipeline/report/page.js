(function () {
  "use strict";
  var config = {
    responsive: true,
    // On a narrow screen the buttons would cover the titles.
    displayModeBar: window.innerWidth < 700 ? false : "hover",
    displaylogo: false,
    // No button that uploads the figure, and no address to fetch anything from.
    showSendToCloud: false,
    plotlyServerURL: "",
    topojsonURL: "",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg" }
  };
  var boxes = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  boxes.forEach(function (box) {
    var data = JSON.parse(document.getElementById(box.id + "-data").textContent);
    Plotly.newPlot(box, data.data, data.layout, config);
  });
  function resize(width) {
    boxes.forEach(function (box) {
      Plotly.relayout(box, width ? { width: width, autosize: false } : { width: null, autosize: true });
    });
  }
  // A printed page is narrower than the window and figures do not follow by themselves.
  window.addEventListener("beforeprint", function () { resize(680); });
  window.addEventListener("afterprint", function () { resize(null); });
})();
