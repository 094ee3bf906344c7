/** PathAllowFilter and PathDenyFilter (core reference, section 4.5). Pure. */
import type { Settings } from '../../src/config/server-config.ts';

/** Whether the filters of `settings` let this path be created, changed, renamed or removed. */
export function pathFiltersAllow(settings: Settings, path: string): boolean {
  const { pathAllowFilter, pathDenyFilter } = settings;
  if (pathAllowFilter !== null && pathAllowFilter.pattern.test(path) === pathAllowFilter.negate) return false;
  return pathDenyFilter === null || pathDenyFilter.pattern.test(path) === pathDenyFilter.negate;
}
