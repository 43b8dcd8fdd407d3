import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Relative asset paths would break deep links; the app always lives at the root of its own port.
export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  // The browser tests in e2e/ have a runner of their own.
  test: { include: ["src/**/*.test.{ts,tsx}"] },
  server: { proxy: Object.fromEntries(["/api", "/prometheus", "/loki", "/tempo"].map((path) => [path, "http://127.0.0.1:8080"])) },
});
