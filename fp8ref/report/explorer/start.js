readState();
controls();
fill();
show();
