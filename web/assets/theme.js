// Before anything is painted, so that nothing flashes. No module, because modules wait.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser without storage follows the system.
}
document.documentElement.classList.add("has-js");
