// Lists the built files for the program that has them within it.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const mediaTypes: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Writes `list`, a Rust file that has the files of `folder`. */
export function listFiles(folder: string, list: string): Plugin {
  return {
    name: 'list-files',
    apply: 'build',
    closeBundle() {
      const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length + 1))
        .sort();
      writeFileSync(list, written(folder, paths));
    },
  };
}

function written(folder: string, paths: string[]): string {
  const files = paths.map((path) => {
    const mediaType = mediaTypes[path.slice(path.lastIndexOf('.') + 1)];
    if (!mediaType) throw new Error(`expected a type of file that build.ts knows, found ${path}`);
    const digest = createHash('sha256').update(readFileSync(`${folder}/${path}`)).digest('hex').slice(0, 32);
    return [
      '    File {',
      `        path: "/${path}",`,
      `        media_type: "${mediaType}",`,
      `        bytes: include_bytes!("${folder}/${path}"),`,
      `        etag: "\\"${digest}\\"",`,
      '    },',
    ].join('\n');
  });
  return [
    '// Written by `npm run build`.',
    '',
    'use crate::File;',
    '',
    '/// All files of the page.',
    '#[rustfmt::skip]',
    'pub const FILES: &[File] = &[',
    ...files,
    '];',
    '',
  ].join('\n');
}
