mod certificates;
mod chain;
mod keys;
mod light;
mod offline;
mod publish;
mod rest;
mod world;
