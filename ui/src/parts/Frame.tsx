// Rail, time range and theme around every page. A rail entry appears when its page works, never before.
import { Link, Outlet, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import type { Search } from "../search";

const PAGES = [
  { to: "/services", word: "Services", icon: "M4 6h16M4 12h10M4 18h6" },
  { to: "/traces", word: "Traces", icon: "M4 5h10M8 10h9M12 15h8M10 20h4" },
  { to: "/logs", word: "Logs", icon: "M5 4h14v16H5zM8 9h8M8 13h8M8 17h4" },
  { to: "/explore/metrics", word: "Metrics", icon: "M4 19V5M4 19h16M7 15l4-5 3 3 5-7" },
] as const;

const RANGES = [5, 15, 60, 360, 1440];
const words = (minutes: number) => (minutes < 60 ? `last ${minutes} min` : `last ${minutes / 60} h`);

export function Frame() {
  const search = useSearch({ strict: false }) as Search;
  const navigate = useNavigate();
  const [theme, setTheme] = useState(() => localStorage.getItem("theme") ?? "");
  useEffect(() => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  const absolute = search.from !== undefined && search.to !== undefined;
  return (
    <>
      <a className="skip" href="#page">Skip to the page</a>
      <nav className="rail" aria-label="Pages">
        <svg viewBox="0 0 24 24" width="28" height="28" aria-hidden="true" className="mark">
          <circle cx="12" cy="12" r="9.5" />
          <path d="M12 1v3M12 20v3" />
          <path d="M15.5 7.5l-2 5.5-5 3.5 2-5.5z" className="needle" />
        </svg>
        {PAGES.map(({ to, word, icon }) => (
          <Link key={to} to={to} search={{ minutes: search.minutes, from: search.from, to: search.to }}>
            <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true"><path d={icon} /></svg>
            {word}
          </Link>
        ))}
      </nav>
      <header className="bar">
        <label>
          <span className="quiet">Time</span>{" "}
          <select
            value={absolute ? "absolute" : String(search.minutes ?? 15)}
            onChange={(event) => {
              const minutes = Number(event.target.value);
              void navigate({ to: ".", search: (old: Search) => ({ q: old.q, minutes }) } as never);
            }}
          >
            {absolute && <option value="absolute">fixed range</option>}
            {RANGES.map((minutes) => <option key={minutes} value={minutes}>{words(minutes)}</option>)}
          </select>
        </label>
        <span className={absolute ? "quiet" : "live"}>{absolute ? "Fixed" : "Live"}</span>
        <button onClick={() => setTheme(theme === "dark" ? "light" : "dark")} aria-label="Switch between dark and light">
          <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" fill="none" /><path d="M8 1.5a6.5 6.5 0 010 13z" /></svg>
        </button>
      </header>
      <main id="page">
        {search.problem && <p className="state state-partial" role="status">The link says {search.problem}, which is not understood; it is left out.</p>}
        <Outlet />
      </main>
    </>
  );
}
