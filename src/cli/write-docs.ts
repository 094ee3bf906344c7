/** `npm run docs`: writes docs/directives.md from the directive tables. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderDirectiveDocs } from '../config/directive-docs.ts';
import { allDirectives, MODULES } from '../config/registry.ts';

const target = fileURLToPath(new URL('../../docs/directives.md', import.meta.url));
writeFileSync(target, renderDirectiveDocs(allDirectives(), MODULES));
process.stdout.write(`wrote ${allDirectives().length} directives to docs/directives.md\n`);
