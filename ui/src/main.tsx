// Routes and providers; every page's state is in its URL.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRootRoute, createRoute, createRouter, redirect, RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Logs } from "./pages/Logs";
import { Metrics } from "./pages/Metrics";
import { Services } from "./pages/Services";
import { TracePage } from "./pages/TracePage";
import { Traces } from "./pages/Traces";
import { Frame } from "./parts/Frame";
import { StateMessage } from "./parts/State";
import { validate } from "./search";
import "./tokens.css";
import "./app.css";

const root = createRootRoute({
  component: Frame,
  validateSearch: validate,
  notFoundComponent: () => <StateMessage kind="empty" title="There is no such page" />,
});
const page = (path: string, component: () => React.ReactNode) => createRoute({ getParentRoute: () => root, path, component });
const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/services", search: {} });
  },
});
const router = createRouter({
  routeTree: root.addChildren([
    home,
    page("/services", Services),
    page("/traces", Traces),
    page("/trace/$id", TracePage),
    page("/logs", Logs),
    page("/explore/metrics", Metrics),
  ]),
});
const client = new QueryClient({ defaultOptions: { queries: { retry: 1, refetchOnWindowFocus: false } } });

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
