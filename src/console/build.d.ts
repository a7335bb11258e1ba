// What the build puts in place of a name.
declare const WORKER_FILE: string;
